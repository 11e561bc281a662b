"""Where each command is declared, in the order of `shipway --help`. Its module is loaded when the command is named."""

from __future__ import annotations

from typing import cast

from shipway.cli.command import Command, flag, rest, text

COMMANDS = {
    "build": "build_command:Build",
    "logs": "job_commands:Logs",
    "ps": "job_commands:Ps",
    "show": "job_commands:Show",
    "cancel": "job_commands:Cancel",
    "workers": "job_commands:Workers",
    "top": "job_commands:Top",
    "version": "job_commands:Version",
    "commit": "making_commands:Commit",
    "import": "making_commands:Import",
    "save": "archive_commands:Save",
    "load": "archive_commands:Load",
    "export": "archive_commands:Export",
    "push": "registry_commands:Push",
    "pull": "registry_commands:Pull",
    "prune": "registry_commands:Prune",
    "images": "image_commands:Images",
    "history": "image_commands:History",
    "inspect": "image_commands:Inspect",
    "tag": "image_commands:Tag",
    "rmi": "image_commands:Rmi",
    "drain": "image_commands:Drain",
    "resume": "image_commands:Resume",
    "login": "access_commands:Login",
    "logout": "access_commands:Logout",
    "audit": "access_commands:Audit",
    "token create": "access_commands:CreateToken",
    "token list": "access_commands:ListTokens",
    "token revoke": "access_commands:RevokeTokens",
    "trust list": "access_commands:ListTrust",
    "webhook add": "webhook_commands:Add",
    "webhook list": "webhook_commands:List",
    "webhook remove": "webhook_commands:Remove",
    "webhook deliveries": "webhook_commands:Deliveries",
    "webhook test": "webhook_commands:Test",
}
"""Module and class of each command. The first word of two is a group."""

GROUPS = {
    "": "Build container images on the machines that have Docker, from one that need not.",
    "token": "Make, list and revoke tokens.",
    "trust": "See which other issuers' tokens count here.",
    "webhook": "Tell others by HTTP that jobs have ended.",
}
"""What the commands of each group are for; the group without a name is the command line itself."""


class Group(Command):
    """Takes the name of a command, and leaves the rest to it."""

    words = rest("COMMAND [ARGS]...")


class Shipway(Group):
    """The command line itself."""

    url = text("--url", metavar="URL", about="URL of the service. [default: SHIPWAY_URL, or the configuration file]")
    version = flag("--version", about="Print the version of this command, as `shipway version` does.")
    install_completion = flag("--install-completion", about="Install completion for the current shell.")
    show_completion = flag(
        "--show-completion",
        about="Show completion for the current shell, to copy it or customize the installation.",
    )


def declared(name: str) -> type[Command]:
    """What a command, a group or (without a name) the command line takes.

    Raises:
        KeyError: there is none of this name.
    """
    if name in GROUPS:
        return Group if name else Shipway
    module, _, kind = COMMANDS[name].partition(":")
    # Not importlib's own function for it, which would be one module more to load.
    return cast("type[Command]", getattr(__import__(f"shipway.cli.{module}", fromlist=[kind]), kind))


def names_below(group: str) -> list[str]:
    """Whole names of the commands and groups in a group; none for a command."""
    above = group.split()
    every = [name.split() for name in COMMANDS]
    inside = [words[: len(above) + 1] for words in every if words[:-1][: len(above)] == above]
    return list(dict.fromkeys(map(" ".join, inside)))
