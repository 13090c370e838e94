internal import FoundationEssentials
internal import HoldfastArchive
internal import HoldfastCodec
package import HoldfastModel
package import HoldfastSystem

/// A file of this machine's memory: about a repository, or about a name that led to one. Its kind is `nil` for what was
/// seen, otherwise that of a `MachineRecord`.
package enum MemoryFile: Hashable {
  case repository(Identifier, kind: String? = nil)
  case location(String, kind: String? = nil)

  static let suffix = ".json"

  /// The beginning of the kinds of receipts for archived log.
  static let receiptKind = "wal-"

  /// The beginning of the names of all files about the same repository or name.
  var stem: String {
    switch self {
    case .repository(let id, _): "repository-\(id)"
    case .location(let text, _): String(Hasher.digest(Array(text.utf8)).description.prefix(32))
    }
  }

  package var name: String {
    switch self {
    case .repository(_, let kind), .location(_, let kind): stem + (kind.map { "-" + $0 } ?? "") + Self.suffix
    }
  }
}

/// The directory in which this machine keeps its memory, as JSON.
package struct MemoryFolder {
  private let path: Path
  private let own: OwnDirectory

  /// `nil` when there is no such directory.
  package init?(_ path: Path, files: FileSystem) throws {
    guard let own = try OwnDirectory(path, files: files) else { return nil }
    (self.path, self.own) = (path, own)
  }

  /// Makes the directory if it is missing.
  /// - Parameter path: `nil` when this machine remembers nothing: then this throws.
  package init(making path: Path?, files: FileSystem) throws {
    guard let path else { throw EngineError(.machine, "there is no directory for it", hint: nil) }
    (self.path, own) = (path, try OwnDirectory(making: path, files: files))
  }

  /// Runs `body` with a lock, so that two runs do not take each other's unfinished files for leftovers.
  package func whileLocked(_ body: (MemoryFolder) throws -> Void) throws {
    // The lock is on the descriptor of this folder, so that it is released when the folder is closed.
    guard try own.directory.lock(exclusively: true, wait: true) else { return }
    try body(self)
  }

  /// - Parameters:
  ///   - location: the location that the file is about, for messages.
  ///   - isSound: returns true if the contents fit the file.
  /// - Returns: `nil` when there is no such file.
  package func value<Value: Decodable>(
    _ type: Value.Type, of file: MemoryFile, about location: String, _ isSound: (Value) -> Bool
  ) throws -> Value? {
    guard let bytes = try own.contents(of: file.name, max: Limits.envelopeBytesMax) else { return nil }
    guard let value = try? JSONDecoder().decode(type, from: Data(bytes)), isSound(value) else {
      throw EngineError(
        .machine, "\(path.appending(file.name)), what this machine remembers of \(location), is damaged",
        hint: "Compare `holdfast key list` with what you have written down, then run `holdfast key forget`.")
    }
    return value
  }

  /// Returns the value; `nil` also when the file is damaged or may not be read.
  package func valueIfReadable<Value: Decodable>(_ type: Value.Type, of file: MemoryFile) -> Value? {
    (try? value(type, of: file, about: "") { _ in true }) ?? nil
  }

  package func replace(
    _ file: MemoryFile, by value: some Encodable, durability: AtomicFile.Durability = .name
  ) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    try own.replace(file.name, by: Array(try encoder.encode(value)), durability: durability)
  }

  /// - Returns: true if there was such a file.
  @discardableResult
  package func remove(_ file: MemoryFile) throws -> Bool { try own.remove(file.name) }

  /// Removes the files of all kinds beside this one, or of the kinds that begin with `text`.
  package func removeKinds(of file: MemoryFile, beginningWith text: String = "") throws {
    for name in try own.names(beginningWith: file.stem + "-" + text) { try own.remove(name) }
  }

  /// Removes the files of kinds that begin with `text`, unfinished ones among them, unless they contain a value to
  /// keep.
  package func removeKinds<Value: Decodable>(
    of file: MemoryFile, beginningWith text: String, unless isKept: (Value) -> Bool
  ) throws {
    for name in try own.names(beginningWith: file.stem + "-" + text) {
      let bytes = name.hasSuffix(MemoryFile.suffix) ? try? own.contents(of: name, max: Limits.envelopeBytesMax) : nil
      let value = bytes.flatMap { try? JSONDecoder().decode(Value.self, from: Data($0)) }
      if value.map(isKept) != true { try own.remove(name) }
    }
  }
}
