internal import Glibc
internal import HoldfastCLI

/// Ends the process while other threads may still wait for answers that nobody needs any more: what they use is not
/// taken down first, as `exit` does it.
func end(_ status: Int32) -> Never {
  fflush(nil)
  _exit(status)
}

end(CommandLineTool.run())
