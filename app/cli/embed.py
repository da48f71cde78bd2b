"""embed: the one tag with which a page of the company's own shows the banner, made here, from the files and not from the network."""

from __future__ import annotations

import click

from app.cli.output import put, say


@click.command()
def embed() -> None:
    """Print the tag that shows the banner on your pages.

    \b
    It needs the server's own settings (TOCSIN_PUBLIC_URL, TOCSIN_PUBLISHING_KEY), so run it where the server runs:
      tocsin embed

    `integrity` lets browsers run this very script or none. `data-key`, which is there once TOCSIN_PUBLISHING_KEY is, lets the script show
    only what this server stamped. Both have to be changed on your pages when the script or the key changes.
    """
    from app.bootstrap.configuration import ConfigurationError, load_settings
    from app.services.stamp import Stamp
    from app.web.pages import static_file

    try:
        settings = load_settings()
        key = settings.publishing_key.get_secret_value()
        pinned = f' data-key="{Stamp(key).public}"' if key else ""
    except (ConfigurationError, ValueError) as error:
        raise click.ClickException(f"{error}") from error
    integrity = static_file("banner.js").integrity
    put(f'<script src="{settings.public_url}/banner.js" integrity="{integrity}" crossorigin="anonymous"{pinned} defer></script>')
    if not key:
        say("No TOCSIN_PUBLISHING_KEY: what this tag shows is only as good as the way from the server to the reader.")
