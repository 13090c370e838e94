package import HoldfastSystem
internal import Synchronization

/// A remote store that lists a folder once, with everything below it, and answers further questions about its names
/// without a request. It shows what this run does at once, and what others add or remove after `refresh`.
package struct ListedStore: StoreLayer {
  /// The most names of a folder. One with more names is not remembered.
  private static let namesMax = 1 << 16
  package let base: any Store
  private let folders: @Sendable (_ prefix: String) -> [String]
  private let memory = ListingMemory()

  /// - Parameter folders: returns the folders that are listed once and contain a prefix or key, the outermost first;
  ///   none if it is in no such folder. Folders end with `/`. A question about a prefix lists the innermost folder,
  ///   unless one is known already.
  package init(_ base: any Store, folders: @escaping @Sendable (_ prefix: String) -> [String]) {
    (self.base, self.folders) = (base, folders)
  }

  package func refresh() {
    memory.forgetAll()
    base.refresh()
  }

  // MARK: Listing

  package func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
    let folders = folders(prefix)
    guard let (folder, names) = try memory.known(folders) ?? list(folders.last, for: prefix),
      // If something else has the name of the folder, the store below says what that means.
      names.kinds[String(prefix.dropFirst(folder.count).dropLast())] == nil
    else { return try base.list(prefix, depth, after: name, max: max) }
    return names.page(prefix.dropFirst(folder.count), depth, after: name, max: max)
  }

  package func find(_ keys: [String]) throws -> [ListingEntry.Kind?] {
    var found: [ListingEntry.Kind?] = []
    for key in keys {
      guard let (folder, names) = memory.known(folders(key)) else { return try base.find(keys) }
      found.append(names.kinds[String(key.dropFirst(folder.count))])
    }
    return found
  }

  package func listed(_ key: String) -> ListingEntry.Kind? {
    let folders = folders(key)
    guard !folders.isEmpty else { return base.listed(key) }
    return memory.known(folders).flatMap { folder, names in names.kinds[String(key.dropFirst(folder.count))] }
  }

  /// Lists everything below a folder; `nil` if there are too many names to remember.
  private func list(_ folder: String?, for prefix: String) throws -> (folder: String, names: ListedNames)? {
    guard let folder, prefix.hasPrefix(folder), !memory.isTooLong(folder) else { return nil }
    let listing = memory.listing(of: folder) { [base, memory] in
      let page = try base.list(folder, .everything, after: nil, max: Self.namesMax)
      if !page.isLast { memory.noteThatTooLong(folder) }
      return page.isLast ? ListedNames(page.entries) : nil
    }
    return try memory.end(listing, of: folder).map { (folder, $0) }
  }

  package func openAnew(_ key: String) throws -> any ReadableBytes { try base.openAnew(key) }

  // MARK: What this run does

  package func upload(_ key: String) throws -> any ObjectUpload {
    ListedUpload(try base.upload(key)) { [self] length in note(key, length) }
  }

  package func replacement(of key: String) throws -> (any ObjectUpload)? {
    try base.replacement(of: key).map { upload in ListedUpload(upload) { [self] _ in forget(key) } }
  }

  package func createBriefly(_ key: String, _ bytes: [UInt8]) throws {
    defer { forget(key) }
    try base.createBriefly(key, bytes)
  }

  package func remove(_ key: String) throws {
    defer { forget(key) }
    try base.remove(key)
  }

  package func removeBriefly(_ keys: [String]) throws {
    defer { keys.forEach(forget) }
    try base.removeBriefly(keys)
  }

  package func removeAll(below prefix: String) throws {
    defer { memory.forgetAll() }
    try base.removeAll(below: prefix)
  }

  /// - Parameter length: the length of the committed object in bytes; `nil` if the commit may have failed.
  private func note(_ key: String, _ length: UInt64?) {
    guard let length else { return forget(key) }
    for folder in folders(key) {
      memory.add(String(key.dropFirst(folder.count)), .object(length: length), to: folder)
    }
  }

  private func forget(_ key: String) {
    for folder in folders(key) { memory.forget(folder) }
  }
}

/// The names below a folder, relative to it.
private struct ListedNames: Sendable {
  private(set) var kinds: [String: ListingEntry.Kind]
  /// The names in the order of listings.
  private var sorted: [String]

  init(_ entries: [ListingEntry]) {
    kinds = Dictionary(entries.map { ($0.name, $0.kind) }, uniquingKeysWith: { first, _ in first })
    sorted = entries.map(\.name)
  }

  mutating func add(_ name: String, _ kind: ListingEntry.Kind) {
    guard kinds.updateValue(kind, forKey: name) == nil else { return }
    sorted.insert(name, at: position(of: name))
  }

  /// Returns the number of names that precede this one.
  private func position(of name: some StringProtocol) -> Int {
    let name = String(name)
    var (low, high) = (0, sorted.count)
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle].precedesInListing(name) { low = middle + 1 } else { high = middle }
    }
    return low
  }

  func page(_ prefix: Substring, _ depth: ListingDepth, after name: String?, max: Int) -> ListingPage {
    var entries: [ListingEntry] = []
    for whole in sorted[position(of: prefix)...] where entries.count <= max {
      guard whole.hasPrefix(prefix) else { break }
      let rest = whole.dropFirst(prefix.count)
      let entry: ListingEntry
      if depth == .children, let slash = rest.firstIndex(of: "/") {
        entry = ListingEntry(name: String(rest[...slash]), kind: .folder)
      } else if let kind = kinds[whole] {
        entry = ListingEntry(name: String(rest), kind: kind)
      } else {
        continue
      }
      guard name?.precedesInListing(entry.name) ?? true, entries.last?.name != entry.name else { continue }
      entries.append(entry)
    }
    return ListingPage(entries, max: max)
  }
}

/// The listings that are remembered, by folder.
private final class ListingMemory: Sendable {
  /// A listing that is being made; `nil` if there are too many names.
  typealias Listing = Future<ListedNames?>

  private struct State {
    var folders: [String: ListedNames] = [:]
    /// The folders with too many names.
    var tooLong: Set<String> = []
    /// The listings under way that began after the last change. Other threads that ask meanwhile wait for them.
    var listings: [String: Listing] = [:]
  }

  private let state = Mutex(State())

  /// Returns the first of some folders whose names are remembered, with its names; `nil` if there is none.
  func known(_ folders: [String]) -> (folder: String, names: ListedNames)? {
    state.withLock { state in
      for folder in folders {
        if let names = state.folders[folder] { return (folder, names) }
      }
      return nil
    }
  }

  func isTooLong(_ folder: String) -> Bool { state.withLock { $0.tooLong.contains(folder) } }

  func noteThatTooLong(_ folder: String) { state.withLock { _ = $0.tooLong.insert(folder) } }

  /// Returns the listing of a folder that is under way, or begins one.
  func listing(of folder: String, _ list: @escaping @Sendable () throws -> ListedNames?) -> Listing {
    state.withLock { state in
      if let listing = state.listings[folder] { return listing }
      let listing = Listing(beginsNow: false, list)
      state.listings[folder] = listing
      return listing
    }
  }

  /// Waits for a listing, and remembers it if nothing has changed since it began.
  func end(_ listing: Listing, of folder: String) throws -> ListedNames? {
    let result = Result { try listing.value() }
    state.withLock { state in
      guard state.listings[folder] === listing else { return }
      state.listings[folder] = nil
      if case .success(let names) = result { state.folders[folder] = names }
    }
    return try result.get()
  }

  func add(_ name: String, _ kind: ListingEntry.Kind, to folder: String) {
    state.withLock { state in
      state.listings[folder] = nil
      state.folders[folder]?.add(name, kind)
    }
  }

  func forget(_ folder: String) {
    state.withLock { state in
      state.listings[folder] = nil
      state.folders[folder] = nil
    }
  }

  func forgetAll() {
    state.withLock { state in
      state.listings = [:]
      state.folders = [:]
    }
  }
}

/// An upload that reports when its object is committed, or may be.
private final class ListedUpload: ObjectUpload {
  private let base: any ObjectUpload
  private let length = Atomic<UInt64>(0)
  private let note: @Sendable (_ length: UInt64?) -> Void

  init(_ base: any ObjectUpload, _ note: @escaping @Sendable (_ length: UInt64?) -> Void) {
    (self.base, self.note) = (base, note)
  }

  var partBytes: Int? { base.partBytes }

  func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    length.max(offset + UInt64(bytes.count), ordering: .relaxed)
    try base.send(bytes, at: offset)
  }

  func commit() throws { try noting { try base.commit() } }

  func commit(with bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    length.max(offset + UInt64(bytes.count), ordering: .relaxed)
    try noting { try base.commit(with: bytes, at: offset) }
  }

  private func noting(_ commit: () throws -> Void) throws {
    do {
      try commit()
    } catch {
      note(nil)
      throw error
    }
    note(length.load(ordering: .relaxed))
  }

  func abort() { base.abort() }
}
