"""Forms in which a bundle leaves for other programs; one exporter a file."""
