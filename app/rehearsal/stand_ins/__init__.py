"""The stand-ins of the platforms: each speaks the real wire protocol, offers nothing that the platform lacks, and fails to order."""
