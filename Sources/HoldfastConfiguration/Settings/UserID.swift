internal import Glibc

/// The user that runs this.
enum UserID {
  static var own: UInt32 { geteuid() }
}
