"""Run one workflow of a project in a process that kills itself after the named action's first run.

``python stand_in.py PROJECT WORKFLOW_ID [ACTION]``; the WORKFLOW_ID ``resume`` finishes what was left. The kill comes
after the action's work and before its result is recorded, the worst moment: the work is done and nobody knows.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from artificer.loop import actions, cycle
from artificer.problem.project import open_project


def kill_after(name: str) -> None:
    original = getattr(actions, name)

    def deadly(*args: Any, **kwargs: Any) -> Any:
        original(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(actions, name, deadly)


def main() -> None:
    folder, workflow_id, *action = sys.argv[1:]
    if action:
        kill_after(action[0])
    project = open_project(Path(folder))
    cycle.launch(project, threads=1)
    if workflow_id == "resume":
        results = cycle.resume()
        cycle.shut_down()
        print(json.dumps([found["version"] for found in results]))
        return
    result = cycle.run_first_training(workflow_id)
    cycle.shut_down()
    print(json.dumps({"version": result["version"], "promoted": result["promotion"]["promoted"]}))


if __name__ == "__main__":
    main()
