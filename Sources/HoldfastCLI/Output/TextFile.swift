internal import HoldfastModel
internal import HoldfastSystem

/// Files that other programs read while they are replaced.
enum TextFile {
  /// Replaces a file, readable by all. A reader sees the old text or the new one.
  static func replace(_ path: Path, by text: String, _ host: Host) throws {
    // The name is unique because two runs at once must not write to the same file.
    let file = try AtomicFile(
      path, in: nil, as: .unique(host.random), mode: .exactly(0o644), durability: .contents, files: host.files)
    try file.append(Array(text.utf8))
    try file.commit()
  }
}
