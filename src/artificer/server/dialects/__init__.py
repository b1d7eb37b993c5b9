"""How bodies of requests say rows and answers say predictions: one file a dialect."""
