internal import HoldfastArchive
package import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// The file of the catalog cache of one repository: a header, then records, which are only ever appended. When the file
/// is too long, or keeps objects that no longer exist, a new file replaces it.
///
/// A writer holds a lock on the file; a reader needs none. A killed run leaves a part of a record at the end, which the
/// next writer cuts off. Nothing is synchronized to disk: digests show which records are whole. Whatever goes wrong
/// with the file, the run continues without it.
package final class CatalogFile: Sendable {
  private static let magic = Array("HFCATLG1".utf8)
  private static let headerCount = UInt64(magic.count + Identifier.byteCount)
  private static let recordsMax = 1 << 18

  /// The location of an object in the file.
  private struct Entry {
    let offset: UInt64
    let lengths: CatalogRecord.Lengths
    let tag: String?
  }

  private struct State {
    var file: OpenFile?
    /// The end of the last record that is known.
    var end: UInt64 = 0
    var entries: [String: Entry] = [:]
    var records = 0
    /// The objects that this run has written. It reads them from the store.
    var ownWrites: Set<String> = []
  }

  private let directory: Path
  private let repository: Identifier
  private let files: FileSystem
  private let bytesMax: UInt64
  private let state = Mutex(State())

  /// - Parameters:
  ///   - directory: the directory of caches on this machine.
  ///   - bytesMax: the maximum number of bytes of the file. A longer one is replaced by one of at most half of it.
  package init(of repository: Identifier, in directory: Path, files: FileSystem, bytesMax: UInt64) {
    (self.directory, self.repository, self.files, self.bytesMax) = (directory, repository, files, bytesMax)
    state.withLock { state in
      do {
        guard let own = try OwnDirectory(directory, files: files) else { return }
        try open(in: own, &state)
      } catch {
        state = State()
      }
    }
  }

  private var name: String { "catalog-\(repository)" }
  private var header: [UInt8] { Self.magic + repository.bytes }

  // MARK: Reading

  /// Returns an object, if it is kept with this length and tag.
  package func object(_ key: String, length: UInt64, tag: String?) -> (any ReadableBytes)? {
    let known = state.withLock { state -> (OpenFile, Entry)? in
      guard let file = state.file, let entry = state.entries[key], !state.ownWrites.contains(key) else { return nil }
      return (file, entry)
    }
    guard let (file, entry) = known, UInt64(entry.lengths.object) == length, entry.tag == tag else { return nil }
    let record = try? bytes(of: file, at: entry.offset, count: entry.lengths.record)
    guard let record, CatalogRecord.isWhole(record, for: repository) else {
      state.withLock { $0.entries[key] = nil }
      return nil
    }
    return MemoryBytes(Array(record[entry.lengths.objectOffset...]), name: key)
  }

  /// True if an object is kept with this length and tag. Its bytes may turn out to be damaged.
  package func has(_ key: String, length: UInt64, tag: String?) -> Bool {
    state.withLock { state in
      guard let entry = state.entries[key], !state.ownWrites.contains(key) else { return false }
      return UInt64(entry.lengths.object) == length && entry.tag == tag
    }
  }

  /// The keys of all objects that are kept.
  package var keys: [String] { state.withLock { Array($0.entries.keys) } }

  private func bytes(of file: OpenFile, at offset: UInt64, count: Int) throws -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    return try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: offset) } == count ? bytes : nil
  }

  /// Opens the file and reads where its objects are, up to the first record that is not sound.
  private func open(in own: OwnDirectory, _ state: inout State) throws {
    let writes = state.ownWrites
    state = State()
    state.ownWrites = writes
    guard let file = try own.file(name, .read),
      // No writer leaves so much longer a file, and the names of everything in it would be kept in memory.
      try file.status().size / 2 <= bytesMax,
      try bytes(of: file, at: 0, count: Int(Self.headerCount)) == header
    else { return }
    state.file = file
    state.end = Self.headerCount
    try readOn(&state)
  }

  /// Reads the records after the last one that is known.
  private func readOn(_ state: inout State) throws {
    guard let file = state.file else { return }
    let size = try file.status().size
    while state.records < Self.recordsMax, size >= state.end + UInt64(CatalogRecord.headCount),
      let head = try bytes(of: file, at: state.end, count: CatalogRecord.headCount),
      let lengths = CatalogRecord.Lengths(head), UInt64(lengths.record) <= size - state.end,
      let names = try bytes(
        of: file, at: state.end + UInt64(CatalogRecord.headCount), count: lengths.key + lengths.tag),
      let key = String(validating: names[..<lengths.key], as: UTF8.self),
      let tag = String(validating: names[lengths.key...], as: UTF8.self)
    {
      state.entries[key] = Entry(offset: state.end, lengths: lengths, tag: tag.isEmpty ? nil : tag)
      state.end += UInt64(lengths.record)
      state.records += 1
    }
  }

  // MARK: Writing

  /// Keeps objects.
  /// - Parameter areOwn: true if this run has written them; it still reads them from the store.
  package func keep(_ records: [CatalogRecord], areOwn: Bool = false) {
    guard !records.isEmpty else { return }
    change { state, own, file in
      if areOwn { state.ownWrites.formUnion(records.map(\.key)) }
      // Another run may have kept the same meanwhile. An object that this run has written was kept as listings will
      // show it.
      let new = records.filter { record in
        areOwn || !state.ownWrites.contains(record.key)
      }.filter { record in
        state.entries[record.key].map { $0.lengths.object != record.bytes.count || $0.tag != record.tag } ?? true
      }
      guard !new.isEmpty else { return }
      var bytes: [UInt8] = []
      for record in new { bytes += record.serialized(for: repository) }
      try bytes.withUnsafeBytes { try file.write($0, at: state.end) }
      try readOn(&state)
      if state.end > bytesMax || state.records >= Self.recordsMax { try replace(in: own, &state) }
    }
  }

  /// Forgets objects that listings no longer show.
  package func drop(_ keys: [String]) {
    guard !keys.isEmpty else { return }
    change { state, own, _ in
      for key in keys { state.entries[key] = nil }
      try replace(in: own, &state)
    }
  }

  /// Changes the file while no other run does. If another run does, or the directory cannot be used, nothing is
  /// changed.
  private func change(_ body: (inout State, OwnDirectory, OpenFile) throws -> Void) {
    state.withLock { state in
      do {
        let own = try OwnDirectory(making: directory, files: files)
        guard let file = try lockedFile(in: own) else { return }
        defer { withExtendedLifetime(file) {} }
        let status = try file.status()
        if status.size >= state.end, try state.file?.status().isSameFile(as: status) == true {
          try readOn(&state)
        } else {
          try open(in: own, &state)
        }
        if state.file == nil {
          // The file is new, or is not a cache of this repository.
          try file.truncate(to: 0)
          try header.withUnsafeBytes { try file.write($0, at: 0) }
          try open(in: own, &state)
        }
        if status.size > state.end { try file.truncate(to: state.end) }
        try body(&state, own, file)
      } catch {
        // Without a cache, everything is read from the store.
      }
    }
  }

  /// Returns the file, made if it is missing, with the lock of writers.
  /// - Returns: `nil` when another run holds the lock.
  private func lockedFile(in own: OwnDirectory) throws -> OpenFile? {
    let isUsable = (try? own.file(name, .readWrite)) != nil
    // The file in the way is not one of this user's own.
    if !isUsable { try own.remove(name) }
    let file = try files.openBeneath(Path(name), in: own.directory, .openOrCreate)
    guard try file.lock(exclusively: true, wait: false),
      // Another run may have replaced it meanwhile.
      try files.statusIfPresent(of: Path(name), in: own.directory)?.isSameFile(as: file.status()) == true
    else { return nil }
    return file
  }

  /// Replaces the file by one with the known objects: manifests first, then the objects that were kept last, up to half
  /// of the maximum. The caller holds the lock.
  private func replace(in own: OwnDirectory, _ state: inout State) throws {
    guard let file = state.file else { return }
    let draft = try AtomicFile(Path(name), in: own.directory, durability: .none, files: files)
    try draft.append(header)
    for entry in mostUseful(state.entries) {
      guard let record = try bytes(of: file, at: entry.offset, count: entry.lengths.record),
        CatalogRecord.isWhole(record, for: repository)
      else { continue }
      try draft.append(record)
    }
    try draft.commit()
    try open(in: own, &state)
  }

  /// Returns the entries that a new file gets, in the order in which they were kept.
  private func mostUseful(_ entries: [String: Entry]) -> [Entry] {
    var room = bytesMax / 2
    let ranked = entries.map { (isEnvelope: Keys.isManifest($0.key), entry: $0.value) }.sorted { left, right in
      left.isEnvelope == right.isEnvelope ? left.entry.offset > right.entry.offset : left.isEnvelope
    }
    return ranked.prefix(Self.recordsMax / 2).prefix { item in
      let fits = UInt64(item.entry.lengths.record) <= room
      if fits { room -= UInt64(item.entry.lengths.record) }
      return fits
    }.map(\.entry).sorted { $0.offset < $1.offset }
  }
}
