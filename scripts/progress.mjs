/** What people see while something long runs. On standard error, so that a command's own output stays clean. */

/** @typedef {(title: string, work: () => Promise<T>) => Promise<T>} Step @template T */

const plainEveryMs = 15_000;
const spinnerEveryMs = 100;
const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/**
 * Runs `work` and shows its title and time: a spinner on a terminal, a line at the start and the end elsewhere, and a
 * sign of life in between.
 * @template T
 * @param {string} title
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function step(title, work) {
  const out = process.stderr;
  const began = Date.now();
  const seconds = () => `${((Date.now() - began) / 1000).toFixed(1)} s`;
  let frame = 0;
  if (!out.isTTY) out.write(`${title} ...\n`);
  const timer = out.isTTY
    ? setInterval(
        () => out.write(`\r\x1b[K${spinner[frame++ % spinner.length]} ${title} (${seconds()})`),
        spinnerEveryMs,
      )
    : setInterval(() => out.write(`${title} ... still at it after ${seconds()}\n`), plainEveryMs);
  const end = (mark, word) => {
    clearInterval(timer);
    out.write(out.isTTY ? `\r\x1b[K${mark} ${title} (${seconds()})\n` : `${title}: ${word} (${seconds()})\n`);
  };
  try {
    const result = await work();
    end('✓', 'done');
    return result;
  } catch (error) {
    end('✗', 'failed');
    throw error;
  }
}
