"""What a job is, resolved and checked before work begins: source, weights, paths, options."""
