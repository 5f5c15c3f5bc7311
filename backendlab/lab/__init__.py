"""What a lesson imports: real processes, Node, instruments and figures."""
