"""completion: the script that makes a shell complete `tocsin`, as click writes it, with a line on how to install it."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_INSTALL = {
    "bash": "tocsin completion bash > ~/.local/share/bash-completion/completions/tocsin",
    "zsh": "tocsin completion zsh > ~/.zfunc/_tocsin     (with `fpath+=~/.zfunc; autoload -Uz compinit; compinit` in ~/.zshrc)",
    "fish": "tocsin completion fish > ~/.config/fish/completions/tocsin.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(list(_INSTALL)))
def completion(shell: str) -> None:
    """Print the completion script of bash, zsh or fish.

    \b
      tocsin completion bash > ~/.local/share/bash-completion/completions/tocsin
      tocsin completion zsh > ~/.zfunc/_tocsin
      tocsin completion fish > ~/.config/fish/completions/tocsin.fish
    """
    from app.cli import tocsin

    made = get_completion_class(shell)
    assert made is not None
    script = made(tocsin, {}, "tocsin", "_TOCSIN_COMPLETE").source()
    click.echo(f"{script.rstrip()}\n\n# Install: {_INSTALL[shell]}")  # at the end: zsh reads the first line
