import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport

/// One container with parity in memory, and its layout as format.md describes it, computed apart from the code.
struct ParitySample {
  static let pageBytes = 4096
  let bytes: [UInt8]
  let reference: ObjectReference
  let places: ParityPlaces

  /// - Parameters:
  ///   - coreBytes: from the header to the end of the index; at least 121.
  ///   - percent: the share of the parity.
  init(coreBytes: Int, percent: Int, _ random: inout SeededRandom) throws {
    var rest = coreBytes - 64
    var frames: [Int] = []
    while rest > 0 {
      // Each frame takes an entry of the index; what is left must hold another frame.
      let count = min(rest - 56, 1 << 20)
      let left = rest - 56 - count
      frames.append(left > 0 && left < 57 ? count - 57 : count)
      rest -= 56 + (frames.last ?? 0)
    }
    guard let share = ParityShare("\(percent)%"), let code = ParityCode(share) else {
      preconditionFailure("\(percent)% is a share")
    }
    let sink = MemoryBytes()
    let name = ContainerName(kind: .archive, repository: SampleContainer.repository, id: SampleContainer.id)
    let head = ContainerHead(name, parity: code)
    let writer = try ContainerWriter(head, sink: sink)
    let maker = try FrameMaker(.none, capacity: 1 << 20)
    for count in frames {
      let frame = random.bytes(count)
      try frame.withUnsafeBytes { try writer.write(frame: writer.reserveFrame(), maker.make($0, for: head)) }
    }
    reference = try writer.finish()
    bytes = sink.contents
    places = ParityPlaces(coreBytes: coreBytes, data: 400 / percent)
  }

  /// Opens it as a reader does that has found damage.
  func open(_ stored: any ReadableBytes) throws -> ContainerReader {
    try ContainerReader(
      RepairedBytes("sample", reference.id, length: reference.length) { stored }, kind: .archive,
      repository: SampleContainer.repository, reference: reference, access: .unsealed)
  }

  func open() throws -> ContainerReader { try open(MemoryBytes(bytes, name: "sample")) }

  /// True if all of it comes back, byte by byte.
  func comesBack(from stored: any ReadableBytes) throws -> Bool { try Self.copy(of: open(stored)) == bytes }

  static func copy(of reader: ContainerReader) throws -> [UInt8] {
    var all: [UInt8] = []
    try reader.forEachStoredPart { all += $0 }
    return all
  }
}

/// The stripes of a container by format.md, section 4: as a list of all its pages and blocks in the order in which they
/// lie.
struct ParityPlaces {
  struct Unit {
    let range: Range<Int>
    let group: Int
    let stripe: Int
  }

  let coreBytes: Int
  let data: Int
  let blockBytes: Int
  private(set) var units: [Unit] = []
  var parity: Int { 4 }
  var sectionEnd: Int { units.last?.range.upperBound ?? coreBytes }

  init(coreBytes: Int, data: Int) {
    (self.coreBytes, self.data) = (coreBytes, data)
    blockBytes = 84 + 4 * data + 4096
    let pages = (coreBytes + 4095) / 4096
    let groups = (pages + 65 * data - 1) / (65 * data)
    var blocks: [Unit] = []
    var start = coreBytes
    for group in 0..<groups {
      let count = min(pages - group * 65 * data, 65 * data)
      let stripes = groups > 1 ? 65 : [1, 2, 4, 8, 16, 32, 65].first { count <= $0 * data } ?? 65
      for page in 0..<count {
        let offset = (group * 65 * data + page) * 4096
        units.append(Unit(range: offset..<min(offset + 4096, coreBytes), group: group, stripe: page % stripes))
      }
      for block in 0..<4 * stripes {
        blocks.append(Unit(range: start..<start + blockBytes, group: group, stripe: (count + block) % stripes))
        start += blockBytes
      }
    }
    units += blocks
  }

  /// Returns units that may all be lost: up to four of each stripe, or one more of a single stripe.
  func choose(beyond: Bool = false, _ random: inout SeededRandom) -> [Unit] {
    var left: [Int: Int] = [:]
    var chosen: [Unit] = []
    let victim = units.randomElement(using: &random).map { $0.group * 65 + $0.stripe }
    for unit in units.shuffled(using: &random) {
      let stripe = unit.group * 65 + unit.stripe
      let most = beyond && stripe == victim ? 5 : beyond ? 0 : left[stripe] ?? Int.random(in: 0...4, using: &random)
      guard most > 0, !beyond || chosen.count < 5 else {
        left[stripe] = 0
        continue
      }
      left[stripe] = most - 1
      chosen.append(unit)
    }
    return chosen
  }
}

/// Bytes of which some cannot be read, and that may have another length than they should.
struct HoledBytes: ReadableBytes {
  let bytes: [UInt8]
  let holes: [Range<Int>]
  let name = "sample"

  var length: UInt64 { UInt64(bytes.count) }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    let range = Int(offset)..<Int(offset) + buffer.count
    guard range.upperBound <= bytes.count else { throw DamageError(name, "it ends before that") }
    guard !holes.contains(where: { $0.overlaps(range) }) else { throw DamageError(name, "it cannot be read") }
    bytes.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[range])) }
  }
}
