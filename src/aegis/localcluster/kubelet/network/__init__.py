"""The pods' network: packets from pod to pod, Services, DNS and NetworkPolicy, all in one user-space switch."""
