"""What Kubesec and Semgrep are given to read, and what their answers mean."""
