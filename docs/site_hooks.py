"""For mkdocs: pages that stand beside docs/, not in it, are part of the site too, and links to them work.

The tables of all metrics and of all settings are put in where a page has a place for them.
"""

from pathlib import Path

import metrics_reference  # beside this file, where mkdocs looks while it loads a hook
import settings_reference
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
PAGES = ("SECURITY.md", "CHANGELOG.md")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for name in PAGES:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, **_more: object) -> str:
    """In the site all are together: `../SECURITY.md` is beside a page, and so is `docs/security.md`."""
    for name in PAGES:
        markdown = markdown.replace(f"](../{name})", f"]({name})")
    markdown = settings_reference.put_in(metrics_reference.put_in(markdown))
    return markdown.replace("](docs/", "](")
