internal import Glibc
internal import HoldfastCLI

/// Ends the process without taking down first what other threads use, as `exit` would. They may still wait for answers
/// that are no longer needed.
func end(_ status: Int32) -> Never {
  fflush(nil)
  _exit(status)
}

end(CommandLineTool.run())
