/** Apollo Server and Apollo's gateway as their documentation sets them up: `stock-apollo.mjs SUPERGRAPH_FILE PORT`. */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { ApolloGateway } from '@apollo/gateway';
import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginDrainHttpServer } from '@apollo/server/plugin/drainHttpServer';
import { expressMiddleware } from '@as-integrations/express5';
import cors from 'cors';
import express from 'express';

const [supergraphFile, port] = process.argv.slice(2);
const app = express();
const httpServer = http.createServer(app);
const server = new ApolloServer({
  gateway: new ApolloGateway({ supergraphSdl: readFileSync(supergraphFile, 'utf8') }),
  plugins: [ApolloServerPluginDrainHttpServer({ httpServer })],
});
await server.start();
app.use('/graphql', cors(), express.json({ limit: '50mb' }), expressMiddleware(server));
httpServer.listen(Number(port), '127.0.0.1');

// Whoever started this is gone.
process.once('disconnect', () => process.exit());
