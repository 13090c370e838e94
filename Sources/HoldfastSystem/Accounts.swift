internal import Glibc

/// The users of this machine.
package enum Accounts {
  /// Returns the name of a user; `nil` if the machine has none with this ID.
  package static func name(of userID: UInt32) -> String? {
    var entry = passwd()
    var found: UnsafeMutablePointer<passwd>?
    var text = [CChar](repeating: 0, count: 16 << 10)
    guard getpwuid_r(userID, &entry, &text, text.count, &found) == 0, found != nil, let name = entry.pw_name else {
      return nil
    }
    return String(cString: name)
  }
}
