"""How Sphinx makes the site; `make docs` runs it."""

project = "Shipway"
html_title = "Shipway"
extensions = ["myst_parser"]
myst_heading_anchors = 4  # headings get the anchors that GitHub gives them
html_theme = "furo"  # fonts of the reader's system, no script from elsewhere
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
nitpicky = True
html_static_path = ["static"]
html_css_files = ["wide.css"]
