"""Run folders, the ledger, batches, the local pool and Ray."""
