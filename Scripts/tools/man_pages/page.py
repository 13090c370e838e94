"""One page, as roff, from what `--experimental-dump-help` says of a command."""

import json
import re
from typing import Any

from .facts import (ENVIRONMENT, ENVIRONMENT_OF_IDENTITY, ENVIRONMENT_OF_REPOSITORY, FILES_OF_REPOSITORY,
                    FILES_OF_WRITER)

Facts = dict[str, Any]  # what the program says of a command or of an argument


def escaped(text: str) -> str:
    """As roff takes it, on one line."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("^", "\\(ha").replace("~", "\\(ti")
    text = "".join(c if ord(c) < 128 else f"\\[u{ord(c):04X}]" for c in text)
    return re.sub(r"`([^`]*)`", r"\\fB\1\\fR", text)


def line(text: str) -> str:
    """A line of text that is no request."""
    text = escaped(text)
    return "\\&" + text if text.startswith((".", "'")) else text


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a help text; a row of its own in the help is one in the page."""
    lines = []
    for part in re.split(r"\n\s*\n", text.strip()):
        lines.append(".PP")
        rows = part.splitlines()
        for number, row in enumerate(rows):
            lines += ([".br"] if number else []) + [line(row.strip())]
    return lines


def tagged(items: dict[str, str]) -> list[str]:
    """A list of things with what is said of each."""
    lines = []
    for tag, text in items.items():
        lines += [".TP", f"\\fB{escaped(tag)}\\fR", line(text)]
    return lines


def spelled(name: Facts) -> str:
    """An option as it is written."""
    return ("--" if name["kind"] == "long" else "-") + name["name"]


def value(argument: Facts) -> str:
    """The value of an argument."""
    return f"\\fI{escaped(argument.get('valueName', 'value'))}\\fR"


def synopsis(argument: Facts) -> str:
    """An argument as the synopsis has it."""
    if argument["kind"] == "positional":
        text = value(argument)
    else:
        text = f"\\fB{escaped(spelled(argument['preferredName']))}\\fR"
        if argument["kind"] == "option":
            text += " " + value(argument)
    if argument["isOptional"]:
        text = f"[{text}]"
    return text + (" ..." if argument["isRepeating"] else "")


def described(argument: Facts) -> list[str]:
    """An argument in the list of options."""
    if argument["kind"] == "positional":
        tag = value(argument)
    else:
        tag = ", ".join(f"\\fB{escaped(spelled(name))}\\fR" for name in argument["names"])
        if argument["kind"] == "option":
            tag += " " + value(argument)
    texts = [argument.get("abstract", ""), argument.get("discussion", "")]
    if "defaultValue" in argument:
        texts.append(f"(default: {argument['defaultValue']})")
    return [".TP", tag, line(" ".join(text for text in texts if text))]


class Page:
    """The page of one command."""

    def __init__(self, command: Facts, date: str, version: str, see: list[str]):
        self.command = command
        self.words = command.get("superCommands", []) + [command["commandName"]]
        self.name = "-".join(self.words)
        self.date, self.version, self.see = date, version, see
        self.arguments = [a for a in command.get("arguments", []) if a["shouldDisplay"]]
        text, _, table = command.get("discussion", "").partition("EXIT STATUS:")
        self.text, _, examples = text.partition("EXAMPLES:")
        self.examples = [row.strip() for row in examples.strip().splitlines()]
        self.statuses = dict(row.strip().split(None, 1) for row in table.strip().splitlines())

    def names(self) -> set[str]:
        """The options of the command."""
        return {spelled(name) for argument in self.arguments for name in argument.get("names", [])}

    def environment(self) -> dict[str, str]:
        """The variables that the command reads or sets."""
        said = json.dumps([self.arguments, self.text])
        wanted = set(re.findall(r"HOLDFAST_[A-Z_]+|PGHOST", said))
        wanted |= set(ENVIRONMENT_OF_REPOSITORY if "--repository" in self.names() else [])
        wanted |= set(ENVIRONMENT_OF_IDENTITY if "--identity" in self.names() else [])
        if len(self.words) == 1:
            wanted = set(ENVIRONMENT)
        return {name: ENVIRONMENT.get(name, "What the option says that names it.") for name in sorted(wanted)}

    def files(self) -> dict[str, str]:
        """The files that it uses."""
        files = FILES_OF_WRITER if {"--writer-key", "--writer"} & self.names() else {}
        files = files | (FILES_OF_REPOSITORY if "--repository" in self.names() else {})
        return files if len(self.words) > 1 else FILES_OF_WRITER | FILES_OF_REPOSITORY

    def lines(self) -> list[str]:
        """The page as roff."""
        subcommands = shown(self.command)
        lines = ['.\\" Made by Scripts/man-pages from what the program says of itself.']
        lines += [f'.TH {self.name.upper()} 1 {self.date} "{self.version}" "holdfast manual"']
        lines += [".SH NAME", f"{escaped(self.name)} \\- {escaped(self.command.get('abstract', '').rstrip('.'))}"]
        words = " ".join(f"\\fB{escaped(word)}\\fR" for word in self.words)
        ends = [synopsis(a) for a in self.arguments] + (["\\fIcommand\\fR ..."] if subcommands else [])
        lines += [".SH SYNOPSIS", " ".join([words] + ends)]
        if self.text.strip():
            lines += [".SH DESCRIPTION"] + paragraphs(self.text)[1:]
        if subcommands:
            lines += [".SH COMMANDS"]
            lines += tagged({f"{self.name}-{c['commandName']}(1)": c.get("abstract", "") for c in subcommands})
        lines += [".SH OPTIONS"] + [row for argument in self.arguments for row in described(argument)]
        if self.statuses:
            lines += [".SH EXIT STATUS"] + tagged(self.statuses)
        if self.examples:
            lines += [".SH EXAMPLES", ".nf"] + [line(example) for example in self.examples] + [".fi"]
        for title, items in (("ENVIRONMENT", self.environment()), ("FILES", self.files())):
            lines += [f".SH {title}"] + tagged(items) if items else []
        return lines + [".SH SEE ALSO", ",\n".join(f"\\fB{escaped(name)}\\fR(1)" for name in self.see)]


def shown(command: Facts) -> list[Facts]:
    """The commands below a command that have pages."""
    return [c for c in command.get("subcommands", []) if c.get("shouldDisplay", True) and c["commandName"] != "help"]


def pages(command: Facts, date: str, version: str, around: list[str]) -> list[Page]:
    """The pages of a command and of all below it. `around` are those that it refers to besides."""
    name = "-".join(command.get("superCommands", []) + [command["commandName"]])
    below = [f"{name}-{c['commandName']}" for c in shown(command)]
    result = [Page(command, date, version, [other for other in around + below if other != name])]
    for subcommand in shown(command):
        result += pages(subcommand, date, version, [name] + below)
    return result
