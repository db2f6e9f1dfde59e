// Writes a port that the package get-port found for each line that it reads, or `none`.
import getPort from 'get-port';
import readline from 'node:readline';

for await (const _ of readline.createInterface({input: process.stdin})) {
    const port = await getPort({host: '127.0.0.1'}).catch(() => 'none');
    process.stdout.write(`${port}\n`);
}
