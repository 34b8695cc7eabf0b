"""How Sphinx makes the site; `build` prepares its pages."""

import pathlib
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]

project = "synchroniser"
version = release = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
project_copyright = ""
language = "en"

extensions = ["myst_parser"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
root_doc = "index"
# Headings are what links in Markdown lead to, as at a forge.
myst_heading_anchors = 4
# The keys of a table are small headings below that of their table.
suppress_warnings = ["myst.header"]
# A line of dots stays one, quotes stay as they are: they may be part of a message.
smartquotes = False

html_theme = "furo"
html_title = f"synchroniser {version}"
html_static_path = ["static"]
html_css_files = ["manual.css"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False
html_domain_indices = False
html_use_index = False
# Blocks in languages that are ours alone are not coloured.
highlight_language = "none"
