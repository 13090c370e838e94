internal import HoldfastModel
internal import HoldfastReport
internal import HoldfastSystem

extension JUnitReport {
  static func write(_ xml: String, to path: Path, files: FileSystem) throws {
    let file = try AtomicFile(path, in: nil, mode: .atMost(0o644), durability: .none, files: files)
    try file.append(Array(xml.utf8))
    try file.commit()
  }
}
