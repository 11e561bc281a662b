"""The web console: pages made by the service, kept fresh by a little script; works offline and without the script."""
