internal import HoldfastModel
internal import HoldfastSystem

/// Files that other programs read while they are replaced.
enum TextFile {
  /// Replaces a file, readable by all. A reader sees the old text or the new one.
  static func replace(_ path: Path, by text: String, _ host: Host) throws {
    // A unique name: two runs at once must not write to the same file.
    let temporary = Path(bytes: path.bytes + Array(".unfinished-\(host.random.identifier())".utf8))
    do {
      let file = try host.files.open(temporary, .create, permissions: 0o644)
      try Array(text.utf8).withUnsafeBytes { try file.write($0, at: 0) }
      try file.setMode(0o644)
      try file.synchronize()
      try host.files.rename(temporary, to: path, replacing: true)
    } catch {
      try? host.files.removeFile(temporary)
      throw error
    }
  }
}
