"""What Python programs call, and what the command line calls.

Each function opens a project, does one thing, and returns a documented, versioned document (or a :class:`Run`).
"""

from artificer.api.access import token_add, token_list, token_revoke
from artificer.api.cleaning import clean
from artificer.api.common import threads
from artificer.api.exploring import explore
from artificer.api.journal import journal_forget, journal_query, journal_seal, journal_status, journal_verify
from artificer.api.projects import init, run_project, train_project, write_run_report
from artificer.api.quality import check
from artificer.api.serving import export, predict_file, server_command, stream_command
from artificer.api.training import Model, Run, load, train
from artificer.api.versions import history, models, monitor, promote, rollback

__all__ = [
    "Model",
    "Run",
    "check",
    "clean",
    "explore",
    "export",
    "history",
    "init",
    "journal_forget",
    "journal_query",
    "journal_seal",
    "journal_status",
    "journal_verify",
    "load",
    "models",
    "monitor",
    "predict_file",
    "promote",
    "rollback",
    "run_project",
    "server_command",
    "stream_command",
    "threads",
    "token_add",
    "token_list",
    "token_revoke",
    "train",
    "train_project",
    "write_run_report",
]
