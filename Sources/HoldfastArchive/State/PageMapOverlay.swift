internal import HoldfastCodec
package import HoldfastModel

/// Several maps of one file laid over each other: for every page the newest run that has it.
package struct PageMapOverlay: PageMapReader {
  private var layers: [any PageMapReader]
  private var current: [PageRun?]
  /// The first page of each layer's current run, `UInt64.max` at its end: kept apart because it is searched for every run.
  private var starts: [UInt64]
  private let pageCount: UInt64
  private let pageSize: UInt32
  private let coversAll: Bool
  private let name: String
  private var position: UInt64 = 0

  /// - Parameters:
  ///   - layers: the newest first.
  ///   - coversAll: whether every page must be in some layer; else pages in none are left out.
  ///   - name: what is read, for messages.
  package init(layers: [any PageMapReader], file: FileContent, coversAll: Bool, name: String) throws {
    self.layers = layers
    self.pageCount = file.pageCount
    self.pageSize = file.pageSize
    self.coversAll = coversAll
    self.name = name
    current = []
    starts = []
    for index in layers.indices {
      let run = try self.layers[index].next()
      current.append(run)
      starts.append(run?.first ?? .max)
    }
  }

  package mutating func next() throws -> PageRun? {
    while position < pageCount {
      if let index = try newestLayer(), let run = current[index] {
        var end = min(run.end, pageCount)
        for newer in 0..<index { end = min(end, starts[newer]) }
        defer { position = end }
        return run.slice(from: position, to: end, pageSize: pageSize)
      }
      guard !coversAll else { throw DamageError(name, "page \(position) of a file is in no snapshot of the chain") }
      position = starts.min() ?? pageCount
    }
    return nil
  }

  /// The newest layer whose current run holds `position`.
  private mutating func newestLayer() throws -> Int? {
    for index in starts.indices where starts[index] <= position {
      while let run = current[index], run.end <= position {
        current[index] = try layers[index].next()
        starts[index] = current[index]?.first ?? .max
      }
      if starts[index] <= position { return index }
    }
    return nil
  }
}

/// Passes runs on and computes the file digest of what passed (format.md, section 6).
package final class FileDigester {
  private var hasher = PageDigestStream()

  package init() {}

  package func add(_ run: PageRun) {
    if run.location == nil { hasher.addZeros(run.count) } else { hasher.add(run.digests) }
  }

  /// The digest of a file of this size; no more runs may be added.
  package func finish(size: UInt64, pageSize: UInt32) -> Digest { hasher.finish(size: size, pageSize: pageSize) }
}
