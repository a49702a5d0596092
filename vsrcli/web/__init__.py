"""The web page of `vsr web`: a server on this machine alone, with a queue of jobs. It needs the extra `vsrcli[web]`."""
