package import HoldfastModel
internal import HoldfastTestSupport

/// Changes a source as days of work do, and worse, by a seed: everything that the change detection, the chain and the
/// restore must cope with.
package struct SourceMutator {
  private var random: SeededRandom
  private let root: Path
  private let slots: [Path]

  package init(seed: UInt64, root: Path) {
    random = SeededRandom(seed: seed)
    self.root = root
    var names = (0..<10).map { Array("f\($0)".utf8) }
    names += ["e\u{301}", "\u{e9}", "new\nline", "\u{1b}[31mred", "back\\slash", "a", "a.b", "a b"].map {
      Array($0.utf8)
    }
    names += [[0xff, 0xfe, 0x80], [0xc3, 0x28]]
    let directories = [root, root.appending("d0"), root.appending("d0/sub"), root.appending("a")]
    slots =
      names.map { root.appending($0) }
      + directories.dropFirst().flatMap { directory in
        [directory] + ["x", "y", "z.log"].map { directory.appending($0) }
      }
  }

  private var largeFile: Path { root.appending("orders.db") }

  /// The first day.
  package mutating func fill() {
    TestFiles.write(random.text(600 << 10), to: largeFile)
    TestFiles.makeDirectory(root.appending("d0"))
    TestFiles.makeDirectory(root.appending("d0/sub"))
    for slot in slots where TestFiles.status(slot) == nil { make(slot) }
  }

  /// One more day.
  package mutating func change() {
    for _ in 0..<(1 + Int(random.next() % 14)) { changeOne() }
    if random.next() % 4 != 0 { changeLargeFile() }
  }

  private mutating func number(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }

  private mutating func slot() -> Path { slots[number(slots.count)] }

  private mutating func changeOne() {
    let path = slot()
    guard let kind = TestFiles.status(path)?.kind else { return make(path) }
    switch number(10) {
    case 0: TestFiles.removeTree(path)
    case 1:
      TestFiles.removeTree(path)
      make(path)
    case 2: move(path)
    case 3, 4: changeAttributes(path)
    case 5: if kind == .file { link(path) }
    default: if kind == .file { changeContents(path) } else { changeAttributes(path) }
    }
  }

  private mutating func make(_ path: Path) {
    guard let parent = path.parent, TestFiles.status(parent)?.kind == .directory else { return }
    switch number(12) {
    case 0: TestFiles.symbolicLink(number(2) == 0 ? "f1" : "../no\nwhere", at: path)
    case 1: TestFiles.makeFifo(path)
    case 2, 3:
      TestFiles.makeDirectory(path)
      if number(2) == 0 { TestFiles.write(random.text(100), to: path.appending("inside")) }
    case 4: TestFiles.write("", to: path)
    case 5: TestFiles.write([UInt8](repeating: 0, count: 10_000 + number(10_000)), to: path)
    case 6:
      TestFiles.write(random.text(5_000), to: path)
      TestFiles.truncate(path, to: 400_000 + number(100_000))
    default: TestFiles.write(number(2) == 0 ? random.text(number(30_000)) : random.bytes(number(9_000)), to: path)
    }
  }

  private mutating func move(_ path: Path) {
    let other = slot()
    guard !path.contains(other), !other.contains(path), let parent = other.parent,
      TestFiles.status(parent)?.kind == .directory
    else { return }
    TestFiles.removeTree(other)
    TestFiles.rename(path, to: other)
  }

  private mutating func link(_ path: Path) {
    let other = slot()
    guard other != path, TestFiles.status(other) == nil else { return }
    TestFiles.link(path, as: other)
  }

  private mutating func changeAttributes(_ path: Path) {
    guard let kind = TestFiles.status(path)?.kind else { return }
    switch number(6) {
    case 0: if kind != .symbolicLink { TestFiles.setMode(path, [0o600, 0o4755, 0o2750, 0o1777, 0, 0o644][number(6)]) }
    case 1: TestFiles.setModified(path, seconds: number(1 << 32) - 1000, nanoseconds: number(1_000_000_000))
    case 2: TestFiles.setModified(path, seconds: -5, nanoseconds: 7)
    case 3: if kind != .symbolicLink { setAccessControlList(path) }
    case 4: TestFiles.setOwner(path, userID: UInt32(number(3)) + 1000, groupID: UInt32(number(3)) + 100)
    default:
      if kind == .file || kind == .directory {
        TestFiles.setExtendedAttribute(path, "user.note\(number(3))", random.bytes(number(200)))
      }
    }
  }

  /// `user:1000:r--` and a mask beside the usual three, as the kernel stores them (version 2: tag, permissions, ID).
  private mutating func setAccessControlList(_ path: Path) {
    let permissions = UInt8(number(8))
    let none: [UInt8] = [0xff, 0xff, 0xff, 0xff]
    let list: [UInt8] =
      [2, 0, 0, 0] + [1, 0, 6, 0] + none + [2, 0, permissions, 0, 0xe8, 3, 0, 0] + [4, 0, 4, 0] + none
      + [0x10, 0, 7, 0] + none + [0x20, 0, 0, 0] + none
    TestFiles.setExtendedAttribute(path, "system.posix_acl_access", list)
  }

  private mutating func changeContents(_ path: Path) {
    guard let size = TestFiles.status(path)?.size else { return }
    switch number(5) {
    case 0: TestFiles.truncate(path, to: number(size + 1))
    case 1: TestFiles.truncate(path, to: size + number(50_000))
    case 2: TestFiles.overwrite(path, at: size, with: random.text(number(10_000)))
    case 3: TestFiles.punchHole(path, at: number(size + 1) / 4096 * 4096, count: 4096 * (1 + number(20)))
    default: TestFiles.overwrite(path, at: number(size + 1), with: random.text(1 + number(5_000)))
    }
  }

  private mutating func changeLargeFile() {
    guard let size = TestFiles.status(largeFile)?.size, size > 300_000 else {
      return TestFiles.write(random.text(600 << 10), to: largeFile)
    }
    switch number(8) {
    case 0: TestFiles.truncate(largeFile, to: size / 2 + number(size / 2))
    case 1: TestFiles.truncate(largeFile, to: size + number(300_000))
    case 2: TestFiles.punchHole(largeFile, at: number(size) / 4096 * 4096, count: 4096 * (1 + number(80)))
    case 3: TestFiles.overwrite(largeFile, at: size, with: random.text(number(200_000)))
    case 4:
      let rotated = root.appending("f1")
      TestFiles.removeTree(rotated)
      TestFiles.rename(largeFile, to: rotated)
      TestFiles.write(random.text(400_000), to: largeFile)
    default:
      for _ in 0..<(1 + number(12)) {
        TestFiles.overwrite(largeFile, at: number(size), with: random.text(1 + number(3000)))
      }
    }
  }
}
