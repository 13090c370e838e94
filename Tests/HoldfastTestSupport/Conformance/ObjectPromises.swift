internal import HoldfastStore
internal import HoldfastSystem

/// The promises about objects that are written and read back.
extension StoreConformance {
  func checkRoundTrip(_ store: any Store) throws {
    var random = SeededRandom(seed: 91)
    let bytes = random.bytes(300_000)
    let writer = try store.create("sources/shop/0000000001/archive-1")
    for start in stride(from: 0, to: bytes.count, by: 70_000) {
      try write(bytes[start..<min(start + 70_000, bytes.count)], to: writer)
    }
    try writer.commit()
    let object = try store.open("sources/shop/0000000001/archive-1")
    try expect(object.length == 300_000, "it has \(object.length) bytes")
    try expect(try read(object) == bytes, "other bytes came back")
    try expect(try read(object, at: 123_456, count: 1000) == Array(bytes[123_456..<124_456]), "a part is another one")
  }

  func checkAppearance(_ store: any Store) throws {
    let writer = try store.create("a/b")
    try write([1, 2, 3], to: writer)
    try expectMissing("a/b", in: store)
    try expectNames([], below: "a/", in: store, "it is named before its commit")
    try writer.commit()
    try expect(try read(store.open("a/b")) == [1, 2, 3], "other bytes came back")
    try expectNames(["b"], below: "a/", in: store, "it is not named after its commit")
  }

  func checkAbort(_ store: any Store) throws {
    let writer = try store.create("a/b")
    try write([1], to: writer)
    writer.abort()
    writer.abort()
    try expectMissing("a/b", in: store)
    try expectNames([], below: "a/", in: store, "something is left")
    try put([2], at: "a/b", in: store)
    try expect(try read(store.open("a/b")) == [2], "the key is not free for another object")
  }

  func checkDrop(_ store: any Store) throws {
    do {
      let writer = try store.create("a/b")
      try write([1], to: writer)
    }
    try expectMissing("a/b", in: store)
    try put([2], at: "a/b", in: store)
  }

  func checkNoReplacement(_ store: any Store) throws {
    try put([1], at: "a/b", in: store)
    try expectThrows(StoreError.alreadyExists(key: "a/b", location: store.location)) {
      try put([2], at: "a/b", in: store)
    }
    try expect(try read(store.open("a/b")) == [1], "the first object is gone")
    try expectNames(["b"], below: "a/", in: store, "something of the second is left")
  }

  /// For stores that can replace an object in one step.
  func checkReplacement(_ store: any Store) throws {
    try put([1, 2], at: "a/b", in: store)
    for isCommitted in [false, true] {
      guard let replacement = try store.replacement(of: "a/b") else { return }
      try [UInt8]([3, 4]).withUnsafeBytes { try replacement.send($0, at: 0) }
      try expect(try read(store.open("a/b")) == [1, 2], "it is replaced before the commit")
      if isCommitted { try replacement.commit() } else { replacement.abort() }
    }
    try expect(try read(store.openAnew("a/b")) == [3, 4], "it is not replaced")
    try expectNames(["b"], below: "a/", in: store, "something of the replacement is left")
  }

  func checkTwoWriters(_ store: any Store) throws {
    let first = try store.create("a/b")
    let second = try store.create("a/b")
    try write([1], to: first)
    try write([2], to: second)
    try second.commit()
    try expectThrows(StoreError.alreadyExists(key: "a/b", location: store.location)) { try first.commit() }
    try expect(try read(store.open("a/b")) == [2], "the loser's bytes are there")
  }

  func checkMissing(_ store: any Store) throws {
    try put([1], at: "a/b", in: store)
    for key in ["x", "a/x", "x/b", "a/b/x"] { try expectMissing(key, in: store) }
  }

  func checkEmpty(_ store: any Store) throws {
    try put([], at: "a", in: store)
    try expect(try store.open("a").length == 0, "it is not empty")
    try expectNames(["a"], below: "", in: store, "it is not named")
  }

  func checkBounds(_ store: any Store) throws {
    try put([1, 2, 3], at: "a", in: store)
    let object = try store.open("a")
    try expect(try read(object, at: 3, count: 0) == [], "nothing, at the end, is something")
    for (offset, count) in [(0, 4), (3, 1), (2, 2), (1 << 40, 1)] as [(UInt64, Int)] {
      try expectAnyError("\(count) bytes at \(offset) of 3 were read") {
        _ = try read(object, at: offset, count: count)
      }
    }
  }

  func checkKeys(_ store: any Store) throws {
    let keys = ["", ".", "..", "../x", "a/../x", "a/../../x", "/x", "/", "a//b", "a/", "a/./b", "a\0b"]
    for key in keys {
      try expectThrows(StoreError.invalidKey(key)) { _ = try store.create(key) }
      try expectAnyError("\"\(key)\" was opened") { _ = try store.open(key) }
    }
    try expectNames([], below: "", in: store, "something was made")
  }

  // MARK: Lengths and ranges

  func checkKnownLength(_ store: any Store) throws {
    try put([1, 2, 3], at: "a/b", in: store)
    let object = try store.open("a/b", length: 3)
    try expect(object.length == 3, "it has \(object.length) bytes")
    try expect(try read(object) == [1, 2, 3], "other bytes came back")
    try expectThrows(StoreError.notFound(key: "a/x", location: store.location)) {
      _ = try read(store.open("a/x", length: 3))
    }
  }

  func checkOtherLength(_ store: any Store) throws {
    try put([1, 2, 3], at: "a/b", in: store)
    for length in [2, 4, 1 << 40] as [UInt64] {
      try expectThrows(
        StoreError.otherLength(key: "a/b", location: store.location, found: 3, expected: length)
      ) {
        _ = try read(store.open("a/b", length: length), at: 0, count: 1)
      }
    }
  }

  func checkRanges(_ store: any Store) throws {
    var random = SeededRandom(seed: 92)
    let bytes = random.bytes(200_000)
    try put(bytes, at: "a/b", in: store)
    let object = try store.open("a/b", length: 200_000)
    // Neighbours, gaps, overlaps and an empty range, in no order.
    let ranges = [0..<10, 10..<70_000, 150_000..<200_000, 69_999..<70_001, 5..<5, 100_000..<120_000, 20..<30]
    object.expect(ranges.map { UInt64($0.lowerBound)..<UInt64($0.upperBound) })
    for _ in 1...2 {
      let buffers = ranges.map { Buffer(capacity: $0.count) }
      try object.read(zip(ranges, buffers).map { ReadPart(at: UInt64($0.lowerBound), into: $1.bytes) })
      for (range, buffer) in zip(ranges, buffers) {
        try expect(Array(buffer.bytes) == Array(bytes[range]), "other bytes came of \(range)")
      }
    }
    let buffer = Buffer(capacity: 2)
    try expectAnyError("2 bytes at 199999 of 200000 were read") {
      try object.read([ReadPart(at: 0, into: buffer.bytes), ReadPart(at: 199_999, into: buffer.bytes)])
    }
  }

  // MARK: Parts

  func checkManyParts(_ store: any Store) throws {
    var random = SeededRandom(seed: 93)
    for count in [999, 1000, 1001, 25_000, 25_001] {
      let bytes = random.bytes(count)
      let writer = try store.create("a/\(count)")
      var rest = bytes[...]
      while !rest.isEmpty {
        let step = min(rest.count, Int.random(in: 1...3000, using: &random))
        try write(rest.prefix(step), to: writer)
        rest = rest.dropFirst(step)
      }
      try writer.commit()
      try expect(try read(store.open("a/\(count)")) == bytes, "other bytes came back of \(count)")
    }
  }

  func checkRepeatedPart(_ store: any Store) throws {
    let upload = try store.upload("a/b")
    let size = upload.partBytes ?? 1000
    var random = SeededRandom(seed: 94)
    let parts = [random.bytes(size), random.bytes(1000)]
    for index in [0, 1, 1, 0] { try parts[index].withUnsafeBytes { try upload.send($0, at: UInt64(index * size)) } }
    try upload.commit()
    try expect(try read(store.open("a/b")) == Array(parts.joined()), "a part counts twice")
  }

  /// After a lost answer the outcome is unknown, so a repeated commit must be told that it was done.
  func checkRepeatedCommit(_ store: any Store) throws {
    let upload = try store.upload("a/b")
    try ([1, 2, 3] as [UInt8]).withUnsafeBytes { try upload.send($0, at: 0) }
    try upload.commit()
    try upload.commit()
    upload.abort()
    try expect(try read(store.open("a/b")) == [1, 2, 3], "the object is gone")
    let other = try store.upload("a/b")
    try ([1, 2, 4] as [UInt8]).withUnsafeBytes { try other.send($0, at: 0) }
    for _ in 1...2 {
      try expectThrows(StoreError.alreadyExists(key: "a/b", location: store.location)) { try other.commit() }
    }
    try expect(try read(store.open("a/b")) == [1, 2, 3], "the first object is gone")
  }

  func checkBriefly(_ store: any Store) throws {
    try store.createBriefly("a/b", [1, 2, 3])
    try expect(try read(store.open("a/b")) == [1, 2, 3], "other bytes came back")
    try expectThrows(StoreError.alreadyExists(key: "a/b", location: store.location)) {
      try store.createBriefly("a/b", [4])
    }
    try store.removeBriefly(["a/b", "a/nothing"])
    try expectMissing("a/b", in: store)
  }
}
