"""One job on several machines: a plan of shards, each run and verified separately, then joined as a single job is."""
