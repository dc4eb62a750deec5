"""Questions to vision-language models: prompt files, schema-checked answers, caches, fallbacks."""
