"""Words to mask: propose, rank, decide, ask again."""
