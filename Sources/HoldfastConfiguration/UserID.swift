internal import Glibc

/// Who runs this.
enum UserID {
  static var own: UInt32 { geteuid() }
}
