"""The manual: docs/ as a site, with the pages that the code itself can tell, and the checks that keep it true."""
