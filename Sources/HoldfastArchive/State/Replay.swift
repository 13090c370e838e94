internal import HoldfastModel
package import HoldfastSystem

/// Applies the bodies of a chain to a state: each path is taken from the newest snapshot that mentions it, each page
/// from the newest extent (format.md, section 7). All layers are read side by side in path order, so memory does not
/// grow with the source.
package struct Replay {
  /// One layer and its current change.
  private final class Layer {
    let reader: any ChangeReader
    /// 0 for the newest layer.
    let age: Int
    var change: Change

    init(reader: any ChangeReader, age: Int, change: Change) {
      self.reader = reader
      self.age = age
      self.change = change
    }
  }

  /// Sorted so that the next layer is the last: by path descending, and the newest last for the same path.
  private var layers: [Layer] = []
  private var ancestors: [Path] = []

  /// - Parameter readers: the oldest first: a state or the body of a full, then the bodies of the snapshots after it.
  package init(_ readers: [any ChangeReader]) throws {
    for (index, reader) in readers.enumerated() {
      if let change = try reader.next() {
        insert(Layer(reader: reader, age: readers.count - 1 - index, change: change))
      }
    }
  }

  /// Writes the resulting state.
  /// - Throws: `DamageError` when the layers contradict each other.
  package mutating func write(to writer: StateWriter, cancellation: Cancellation) throws {
    while let newest = layers.last {
      try cancellation.check()
      let path = newest.change.path
      var group: [Layer] = []
      while let layer = layers.last, layer.change.path == path { group.append(layers.removeLast()) }
      try resolve(group, to: writer)
      for layer in group {
        if let change = try layer.reader.next() {
          layer.change = change
          insert(layer)
        }
      }
    }
  }

  private mutating func insert(_ layer: Layer) {
    var low = 0
    var high = layers.count
    while low < high {
      let middle = (low + high) / 2
      if Self.isBefore(layers[middle], layer) { high = middle } else { low = middle + 1 }
    }
    layers.insert(layer, at: low)
  }

  private static func isBefore(_ left: Layer, _ right: Layer) -> Bool {
    if left.change.path == right.change.path { return left.age < right.age }
    return left.change.path < right.change.path
  }

  /// - Parameter group: all changes to one path, the newest first.
  private mutating func resolve(_ group: [Layer], to writer: StateWriter) throws {
    try checkOrder(of: group)
    guard let newest = group.first, case .put(let entry, let inherits) = newest.change else { return }
    try checkParent(of: entry, in: newest)
    guard let file = entry.file else { return try writer.append(entry, map: nil) }
    if group.count == 1, !inherits, let state = newest.reader as? StateReader {
      return try writer.copy(entry, from: state)
    }
    var maps: [any PageMapReader] = []
    var sizes: [UInt64] = []
    for layer in group {
      guard case .put(let older, let continues) = layer.change, let content = older.file else { break }
      maps.append(try layer.reader.extents())
      sizes.append(content.size)
      if !continues { break }
    }
    let overlay = try PageMapOverlay(
      layers: maps, sizes: sizes, file: file, coversAll: true, name: newest.reader.name)
    let map = DigestedMap(overlay, digester: FileDigester())
    try writer.append(entry, map: map)
    guard !map.digester.hasStoredZeros else {
      throw damage(group, "a page of \(entry.path) is stored, and has the digest of a page of zeros")
    }
    guard map.digester.finish(size: file.size, pageSize: file.pageSize) == file.digest else {
      throw damage(group, "the pages of \(entry.path) do not add up to its digest")
    }
  }

  /// Checks that each change to a path is possible after the earlier ones. So a chain gives the same state whether it
  /// is replayed at once or snapshot by snapshot.
  private func checkOrder(of group: [Layer]) throws {
    var isThere = false
    var pageSize: UInt32?
    for layer in group.reversed() {
      switch layer.change {
      case .remove:
        guard isThere else { throw damage([layer], "it removes what is not there") }
        (isThere, pageSize) = (false, nil)
      case .put(let entry, let inherits):
        guard !inherits || entry.file?.pageSize == pageSize else {
          let what = layer === group.last ? "nothing" : "what has none"
          throw damage([layer], "\(entry.path) inherits pages from \(what)")
        }
        (isThere, pageSize) = (true, entry.file?.pageSize)
      }
    }
  }

  /// Checks that the directory of the entry exists. Entries come in path order, so it is one of the last directories.
  private mutating func checkParent(of entry: Entry, in layer: Layer) throws {
    while let last = ancestors.last, !last.contains(entry.path) || last == entry.path { ancestors.removeLast() }
    if let parent = entry.path.parent, ancestors.last != parent {
      throw damage([layer], "\(entry.path) lies in no directory")
    }
    if entry.path.isEmpty, entry.content != .directory { throw damage([layer], "its root is not a directory") }
    if entry.content == .directory { ancestors.append(entry.path) }
    if case .hardLink(let file) = entry.content, !(file < entry.path) {
      throw damage([layer], "\(entry.path) links to what comes after it")
    }
  }

  private func damage(_ group: [Layer], _ finding: String) -> DamageError {
    DamageError(group.first?.reader.name ?? "the chain", finding)
  }
}

/// A map that computes the digest of the extents that are read from it.
private struct DigestedMap: PageMapReader {
  private var map: PageMapOverlay
  let digester: FileDigester

  init(_ map: PageMapOverlay, digester: FileDigester) {
    self.map = map
    self.digester = digester
  }

  mutating func next() throws -> PageExtent? {
    guard let extent = try map.next() else { return nil }
    digester.add(extent)
    return extent
  }
}
