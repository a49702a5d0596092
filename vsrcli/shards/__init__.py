"""One job on more than one machine: a plan of shards, each run by itself and verified, joined as one job's work is."""
