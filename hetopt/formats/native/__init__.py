"""hetopt's own instance files: YAML, JSON, folders of tables."""
