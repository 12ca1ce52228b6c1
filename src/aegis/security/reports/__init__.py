"""One scan, as people and other programs read it: JSON, SARIF, JUnit, GitLab. Pure: a value in, a document out."""
