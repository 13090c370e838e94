package import HoldfastModel

/// The keys of all objects (format.md, section 1). Nothing else knows how they are made.
package enum Keys {
  package static let descriptor = "holdfast.json"
  /// Identifies the place; each target has another one. It is not copied, and nothing but the memory of a machine
  /// depends on it.
  package static let place = "place"
  package static let sources = "sources/"
  package static let keyring = "keyring/"
  package static let targets = "targets/"
  package static let names = "names/"
  package static let wal = "wal/"
  package static let manifestName = "manifest.json"

  package static func source(_ name: SourceName) -> String { "\(sources)\(name.key)/" }

  package static func snapshot(_ name: SourceName, _ sequence: UInt64) -> String {
    source(name) + digits(sequence) + "/"
  }

  package static func keyring(_ revision: UInt64) -> String { keyring + digits(revision) + ".json" }

  /// A revision of the list of targets.
  package static func targetList(_ revision: UInt64) -> String { targets + digits(revision) + ".json" }

  /// A revision of the names of sources.
  package static func names(_ revision: UInt64) -> String { names + digits(revision) + ".json" }

  /// The directory of the revisions of the notes on a source.
  package static func notes(_ name: SourceName) -> String { source(name) + notesName }

  /// The name of that directory below `source(_:)`.
  package static let notesName = "notes/"

  /// The directory of one revision of the notes.
  package static func notesFolder(_ name: SourceName, _ revision: UInt64) -> String {
    notes(name) + digits(revision) + "/"
  }

  package static func notes(_ name: SourceName, _ revision: UInt64) -> String {
    notesFolder(name, revision) + "notes.json"
  }

  /// The directory of the journals of all sources.
  package static let journals = "journal/"

  /// The directory of the journal of a source, whose objects have ascending numbers.
  package static func journal(_ name: SourceName) -> String { "\(journals)\(name.key)/" }

  package static func journal(_ name: SourceName, _ number: UInt64) -> String { journal(name) + digits(number) }

  /// True if the object under a key is small and never changes: a manifest, a revision of notes or of the keyring, or
  /// the descriptor.
  package static func isManifest(_ key: String) -> Bool { key.hasSuffix(".json") }

  /// True if the object under a key stays until a prune removes it: it belongs to a snapshot, to the keyring, to the
  /// list of targets, to the names of sources or to archived log, or is the descriptor. Leases, the journal and the
  /// objects of a probe are removed soon.
  package static func isLasting(_ key: String) -> Bool {
    key == descriptor || [sources, keyring, targets, names, wal].contains { key.hasPrefix($0) }
  }

  /// Returns the folder of the source to which a key or prefix belongs, if it is that of a snapshot or of notes.
  package static func sourceFolder(_ key: String) -> String? {
    let parts = key.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
    return key.hasPrefix(sources) && parts.count == 3 ? "\(sources)\(parts[1])/" : nil
  }

  /// The source whose folder this is; `nil` for any other folder.
  package static func sourceName(_ folder: String) -> SourceName? {
    guard folder.hasPrefix(sources), folder.hasSuffix("/") else { return nil }
    return SourceName(String(folder.dropFirst(sources.count).dropLast()))
  }

  /// Returns those folders that contain a key or prefix and that a run lists once with everything below them, the outer
  /// one first: the folder of all sources, and the folder of one source; or that of the names of sources.
  package static func listedFolders(_ key: String) -> [String] {
    if key.hasPrefix(names) { return [names] }
    return key.hasPrefix(sources) ? [sources] + [sourceFolder(key)].compactMap(\.self) : []
  }

  /// The folder whose objects need each other in a target, of those that are in all targets: what is of one source, the
  /// archived log of one source, or the keyring with the descriptor, the list of targets and the names of
  /// sources. `nil` for what stays at home.
  package static func targetFolder(_ key: String) -> String? {
    if let folder = sourceFolder(key) { return folder }
    if key == descriptor || [keyring, targets, names].contains(where: { key.hasPrefix($0) }) { return keyring }
    let parts = key.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
    return key.hasPrefix(wal) && parts.count == 3 ? "\(wal)\(parts[1])/" : nil
  }

  private static func digits(_ number: UInt64) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 10 - digits.count)) + digits
  }

  package static func manifest(_ name: SourceName, _ sequence: UInt64) -> String {
    snapshot(name, sequence) + manifestName
  }

  package static func body(_ name: SourceName, _ sequence: UInt64, _ id: Identifier) -> String {
    snapshot(name, sequence) + bodyPrefix + id.description
  }

  private static let bodyPrefix = "body-"

  /// True if the object under a key is the body of a manifest. It never changes, and is small if the snapshot changes
  /// little.
  package static func isBody(_ key: String) -> Bool { key.split(separator: "/").last?.hasPrefix(bodyPrefix) ?? false }

  /// True if a machine keeps the object under a key of a remote repository: the manifests, bodies and notes of a
  /// source, and the names of sources.
  package static func isKept(_ key: String) -> Bool {
    key.hasPrefix(names) || (sourceFolder(key) != nil && (isManifest(key) || isBody(key)))
  }

  /// True if a key lies in the folder of a snapshot: that of a sequence number.
  package static func isOfSnapshot(_ key: String) -> Bool {
    guard let folder = sourceFolder(key) else { return false }
    return sequence(key.dropFirst(folder.count).prefix { $0 != "/" }) != nil
  }

  private static let archivePrefix = "archive-"

  package static func archive(_ name: SourceName, _ sequence: UInt64, _ id: Identifier) -> String {
    snapshot(name, sequence) + archivePrefix + id.description
  }

  /// True if the object under a key is an archive: it is large, and is read only to restore, verify or merge.
  package static func isArchive(_ key: String) -> Bool {
    key.split(separator: "/").last?.hasPrefix(archivePrefix) ?? false
  }

  /// Returns the ID of an archive, a body, or an object of archived log: what is stored in shards, if anything is;
  /// `nil` for any other key.
  package static func containerID(_ key: String) -> Identifier? {
    guard let name = key.split(separator: "/").last, let hyphen = name.lastIndex(of: "-") else { return nil }
    let isContainer =
      key.hasPrefix(wal) ? walObjectFile(name) != nil : isOfSnapshot(key) && (isArchive(key) || isBody(key))
    return isContainer ? Identifier(String(name[name.index(after: hyphen)...])) : nil
  }

  // MARK: The archive of write-ahead logs

  package static func wal(_ name: SourceName) -> String { "\(wal)\(name.key)/" }

  package static func wal(_ name: SourceName, _ system: SystemIdentifier) -> String { "\(wal(name))\(system)/" }

  /// - Parameter directory: `WALFileName.directory` of the file.
  package static func wal(_ name: SourceName, _ system: SystemIdentifier, _ directory: String) -> String {
    "\(wal(name, system))\(directory)/"
  }

  /// Returns the name of the lock under which a file is pushed to the log of a cluster. It contains slashes, so it is
  /// never the name of a source's lock.
  package static func walLock(_ name: SourceName, _ system: SystemIdentifier) -> String { "wal/\(name.key)/\(system)" }

  /// - Parameter copy: 1 for the first manifest of a file; 2 or more when it is archived again beside damaged ones.
  package static func walManifest(
    _ name: SourceName, _ system: SystemIdentifier, _ file: WALFileName, copy: UInt64 = 1
  ) -> String {
    wal(name, system, file.directory) + file.text + (copy == 1 ? "" : ".\(copy)") + walSuffix
  }

  package static func walObject(
    _ name: SourceName, _ system: SystemIdentifier, _ file: WALFileName, _ id: Identifier
  ) -> String {
    wal(name, system, file.directory) + "\(file.text)-\(id)"
  }

  /// Parses the name of a manifest in a directory of the WAL archive: the file and the number of the copy; `nil` for
  /// any other name.
  package static func walFile(
    _ name: some StringProtocol, in directory: String
  ) -> (file: WALFileName, copy: UInt64)? {
    guard name.hasSuffix(walSuffix) else { return nil }
    let stem = name.dropLast(walSuffix.count)
    if let file = WALFileName(stem) { return file.directory == directory ? (file, 1) : nil }
    guard let point = stem.lastIndex(of: "."), let copy = UInt64(stem[stem.index(after: point)...]), copy > 1,
      stem.hasSuffix(".\(copy)"), let file = WALFileName(stem[..<point]), file.directory == directory
    else { return nil }
    return (file, copy)
  }

  /// Parses the name of an object in a directory of the WAL archive. Returns the file whose bytes it contains; `nil`
  /// for any other name.
  package static func walObjectFile(_ name: some StringProtocol) -> WALFileName? {
    guard let hyphen = name.lastIndex(of: "-"), Identifier(String(name[name.index(after: hyphen)...])) != nil else {
      return nil
    }
    return WALFileName(name[..<hyphen])
  }

  private static let walSuffix = ".json"

  /// Parses a number in a name below `source(_:)` or `notes(_:)`; `nil` for anything else. Numbers begin with 1.
  package static func sequence(_ text: some StringProtocol) -> UInt64? {
    guard text.utf8.count == 10, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
      return nil
    }
    return UInt64(text).flatMap { $0 >= 1 ? $0 : nil }
  }
}
