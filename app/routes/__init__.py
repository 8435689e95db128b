"""One module for each family of URLs. A route reads, calls and answers; what it calls knows no HTTP."""
