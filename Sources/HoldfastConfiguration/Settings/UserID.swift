internal import Glibc

/// The user that runs this process.
enum UserID {
  static var own: UInt32 { geteuid() }
}
