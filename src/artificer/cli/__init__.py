"""The command line, a face: it translates and calls, nothing else."""


def main() -> None:
    """Entry point of the ``artificer`` command."""
    import os

    # Threads of OpenMP that spin while they wait take the cores from whatever else runs; it is read once, at loading.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from artificer.cli.app import main as run

    run()
