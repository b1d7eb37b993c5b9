"""The command line, a face: it translates and calls, nothing else."""


def main() -> None:
    from artificer.cli.app import main as run

    run()
