internal import Glibc
internal import HoldfastCLI

exit(CommandLineTool.run())
