"""What people do with Bastion: rules, their files, events, triggers, accounts. Services flush; the edge commits."""
