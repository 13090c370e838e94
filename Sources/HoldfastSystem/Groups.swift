internal import Glibc

/// The groups of this machine.
package enum Groups {
  /// Returns the ID of a group.
  /// - Parameter name: a group name, or the ID itself in decimal digits.
  /// - Returns: `nil` if there is no such group.
  package static func id(of name: String) -> UInt32? {
    var entry = group()
    var found: UnsafeMutablePointer<group>?
    // All members of a group are read with it, and there may be many.
    var text = [CChar](repeating: 0, count: 1 << 20)
    guard getgrnam_r(name, &entry, &text, text.count, &found) == 0, found != nil else { return UInt32(name) }
    return entry.gr_gid
  }
}
