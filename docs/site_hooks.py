"""For mkdocs: pages that stand beside docs/, not in it, are part of the site too, and links to them work.

The table of all metrics is put in where a page has a place for it.
"""

from pathlib import Path

from metrics_reference import put_in  # beside this file, where mkdocs looks while it loads a hook
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
    return put_in(markdown.replace("](docs/", "]("))
