internal import Glibc
internal import HoldfastCodec
internal import HoldfastModel

// What one core does per byte of a real file: `swift run -c release Benchmarks FILE`, where FILE is an order database.

guard CommandLine.arguments.count == 2, let file = fopen(CommandLine.arguments[1], "r") else {
  print("usage: Benchmarks FILE")
  exit(2)
}

let frameBytes = Limits.archiveFrameBytes
let frameCount = 256
let plain = UnsafeMutableRawBufferPointer.allocate(byteCount: frameBytes * frameCount, alignment: 64)
let length = fread(plain.baseAddress, 1, plain.count, file) / frameBytes * frameBytes
guard length > 0 else {
  print("the file must have at least \(frameBytes) bytes")
  exit(2)
}
let frames = stride(from: 0, to: length, by: frameBytes).map {
  UnsafeRawBufferPointer(rebasing: plain[$0..<$0 + frameBytes])
}
let output = UnsafeMutableRawBufferPointer.allocate(byteCount: frameBytes, alignment: 64)

/// Runs `body` over all frames five times and prints the best rate: the others were disturbed.
@MainActor func measure(_ name: String, _ body: (UnsafeRawBufferPointer) throws -> Void) rethrows {
  var best = Double.infinity
  for _ in 0..<5 {
    var start = timespec()
    var end = timespec()
    clock_gettime(CLOCK_MONOTONIC, &start)
    for frame in frames { try body(frame) }
    clock_gettime(CLOCK_MONOTONIC, &end)
    best = min(best, Double(end.tv_sec - start.tv_sec) + Double(end.tv_nsec - start.tv_nsec) / 1e9)
  }
  let megabytesPerSecond = Int((Double(length) / best / 1e6).rounded())
  print("| \(name) | \(megabytesPerSecond) MB/s | \((best / Double(length) * 1e11).rounded() / 100) ns/B |")
}

print("| one core, \(length >> 20) MiB | rate | cost |\n|---|---|---|")
measure("copy") { output.copyMemory(from: $0) }
measure("SHA-256 of 4 KiB pages") { frame in
  PageHasher.hash(frame, pageSize: 4096, into: UnsafeMutableRawBufferPointer(rebasing: output[..<1024]))
}
measure("SHA-256 of frames") { _ = Hasher.digest($0) }

for compression in [Compression.standard, .deflate(level: 1), .deflate(level: 6), .zstd(level: 1)] {
  let compressor = try Compressor(compression)
  var stored: [(codec: FrameCodec, bytes: [UInt8])] = []
  for frame in frames {
    let (codec, count) = try compressor.compress(frame, into: output)
    stored.append((codec, Array(output[..<count])))
  }
  let ratio = Double(length) / Double(stored.reduce(0) { $0 + $1.bytes.count })
  try measure("\(compression), ratio \((ratio * 100).rounded() / 100)") {
    _ = try compressor.compress($0, into: output)
  }
  let decompressor = Decompressor()
  var next = 0
  try measure("\(compression), back") { _ in
    let frame = stored[next % stored.count]
    next += 1
    try frame.bytes.withUnsafeBytes { try decompressor.decompress($0, codec: frame.codec, into: output) }
  }
}
