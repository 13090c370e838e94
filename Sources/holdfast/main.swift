internal import Glibc
internal import HoldfastCLI

exit(CommandLineTool.run(CommandLine.arguments.dropFirst()))
